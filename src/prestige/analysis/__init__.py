"""A folder of runs -> its analysis: numbers, and no sentence."""
