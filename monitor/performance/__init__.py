"""Performance on delayed truths: age buckets, labels, accuracy and its maturity."""
