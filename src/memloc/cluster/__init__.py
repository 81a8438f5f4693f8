"""A profile as jobs for a workflow engine: what each computes, what it waits for, what it takes."""
