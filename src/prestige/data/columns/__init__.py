"""What a table says about itself: one rule a question, the same for readers, evaluate, biology, prepared."""
