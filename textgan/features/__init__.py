"""Extractors: pictures to the features that distances are taken on."""
