"""What every part shares: names, errors, paths, ranks, logs and schedules."""
