"""The starter model's texts: what each job's module writes, and how it is told from what is held out.

`documents` has the types, `draws` the chance and the made-up names, `shell` the reading of commands, `public` the
public sets; every other module is one job and offers `documents(draw, n)` for training and `cases(draw, n)` for the
evaluation. Nothing here knows of tokens, tensors or the model.
"""
