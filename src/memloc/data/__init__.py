"""Tasks and their data: the catalogue, three sources of rows, and how rows become a perturbed data set."""
