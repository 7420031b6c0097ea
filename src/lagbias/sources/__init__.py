"""Sources of simulations: each module returns a `lagbias.sources.base.Box`."""
