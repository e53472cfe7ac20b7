"""Questions that places answer: structure, domains, regions, neighbourhoods, gradients."""
