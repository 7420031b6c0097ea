"""AbacusSummit: paths, headers, reading and acquisition."""
