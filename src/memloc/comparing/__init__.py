"""Two runs, or a run and the study, side by side: places, curves, order of tasks, verdicts."""
