"""From slides to batches of patches: the protocol of a reader, the crop, the gather, augmentation."""
