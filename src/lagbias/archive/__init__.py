"""Archives of runs: one file from which every figure can be drawn again."""
