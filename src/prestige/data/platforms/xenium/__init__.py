"""The output folder of a Xenium instrument or of Xenium Ranger, part by part."""
