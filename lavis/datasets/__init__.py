"""Data: questions and media, loaders that read them, data sets and their builders."""
