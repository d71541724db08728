"""What the book needs and a model does not: data, figures, and the results of its experiments."""
