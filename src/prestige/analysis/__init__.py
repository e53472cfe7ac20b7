"""A folder of runs -> the analysis of a bench: numbers, frames and a recommendation, and no sentence."""
