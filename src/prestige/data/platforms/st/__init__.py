"""Classic Spatial Transcriptomics: matrices of counts as text, spot files, the pitch of an array."""
