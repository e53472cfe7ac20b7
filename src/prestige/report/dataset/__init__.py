"""What a data set and its split look like before anything is trained."""
