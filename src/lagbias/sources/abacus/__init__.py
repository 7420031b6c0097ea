"""AbacusSummit: paths, acquisition and reading of its boxes."""
