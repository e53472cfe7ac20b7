"""Parts of a slide as they are needed, from the level that fits, in bounded memory."""
