"""Pretraining of the nano family: a free corpus, one tokenizer, four small models alike in all but architecture."""
