"""From a trained model to files of predictions: inference, bundles, cards."""
