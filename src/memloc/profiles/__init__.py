"""Profiles: the numbers of a run, one YAML file each. A profile never changes a path through the code."""

from memloc.profiles.loading import ModelRun, Profile, every_name, load_profile, profile_names

__all__ = ["ModelRun", "Profile", "every_name", "load_profile", "profile_names"]
