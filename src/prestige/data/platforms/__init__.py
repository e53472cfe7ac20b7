"""What exports of several platforms share: matrices of 10x, arrays of spots, texts that may be packed."""
