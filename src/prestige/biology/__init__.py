"""Does the biology survive?  Measured counts beside predicted expression of the same tissue.

``pair.py`` holds the two sides and ``noise.py`` makes them comparable: predictions carry no counting noise,
measurements do.  ``structure.py`` asks for structure in space, ``correlations.py`` for that between genes and
``domains.py`` for the tissue's domains.
"""
