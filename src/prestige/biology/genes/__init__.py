"""Questions that genes answer: activity of sets, enrichment, correlations, conditions, cell types."""
