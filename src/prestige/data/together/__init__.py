"""Whether image and table belong together: counts beside the tissue, as it stands and moved."""
