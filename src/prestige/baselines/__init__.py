"""What any model has to beat: configurations of the grid like any other, fitted on the training side only.

``settings.py`` registers them, each with one line of why and the class that fits it; ``fitted.py`` says what
such a class is given and gives.  One file a kind: ``mean.py``, ``on_features.py`` (ridge on hand-made
features, ``features.py``, or an encoder's, ``frozen.py``), ``coordinates.py`` (nearest training
neighbours), ``depth.py``, a diagnostic.  Their arithmetic: ``ridge.py``, ``hest.py`` (HEST-Bench's recipe).
``shuffled.py`` gives the labels of a network that is trained.  ``checks.py`` refuses before anything is
computed.
"""
