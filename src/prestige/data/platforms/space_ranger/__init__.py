"""What Space Ranger writes for Visium and Visium HD: files, places of the array, scale factors, pictures."""
