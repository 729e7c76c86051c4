"""What the experts that read share: text recognition, reading order, text over time, grids, numbers, chart axes."""
