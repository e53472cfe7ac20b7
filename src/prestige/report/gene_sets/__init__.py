"""What the pages say and draw of gene sets."""
