"""What any model has to beat: configurations of the grid like any other, fitted on the training side only.

``settings.py`` names them, each with one line of why; ``fitted.py`` fits, keeps and reads them back.
What they are made of: ``features.py`` (hand-made features), ``frozen.py`` (an encoder's), ``ridge.py``,
``hest.py`` (HEST-Bench's recipe), ``coordinates.py`` (nearest training neighbours), ``shuffled.py``
(labels for a network that is trained in ``run.py``), and ``depth.py``, a diagnostic.  ``checks.py``
refuses before anything is computed.
"""
