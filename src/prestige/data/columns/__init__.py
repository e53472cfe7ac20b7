"""What a table says about itself: one rule a question, at every door (readers, evaluate, biology, prepared)."""
