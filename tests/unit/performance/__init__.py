"""Truth: ages, labels, probing, accuracy."""
