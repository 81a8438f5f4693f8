"""What a run costs by counting: formulas, fits of measured seconds, machines, and a run's jobs on many devices."""
