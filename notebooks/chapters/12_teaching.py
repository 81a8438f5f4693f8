# %% [markdown]
# # For teachers
#
# *What can a class do with this book in a week, or in four, and who marks it?*
#
# Everything here runs on a laptop without a GPU and, once installed, without a network; marking needs Linux. Students
# read chapters, re-run them with other numbers, and write the techniques themselves; a program marks what they wrote,
# in a place where it can do no harm. What they should know before is said in the {doc}`introduction <../intro>`.

# %% tags=["hide-input", "remove-stderr"]
from IPython.display import Markdown

from memloc.publishing import facts, tabulate, tabulate_classroom

facts.glue_all("class", tabulate_classroom.assignment_facts(), tabulate_classroom.assignment_files())
Markdown("Made from the assignments of this copy.")

# %% [markdown]
# ## The assignments

# %% tags=["hide-input"]
tabulate.show_table(tabulate_classroom.assignment_table())

# %% [markdown]
# *Minutes* are what an assignment is meant to take. *Checks* are the hidden ones that bring points; *by hand* are
# further points that you give by the rubric.
#
# Each is a notebook with text, hints that unfold, cells to fill in, and visible checks that answer at once. Every
# student gets a seed and a task of their own, made from the id they write into the first cell, so that numbers cannot
# be passed on while advice can. Notebooks need numpy, torch, pandas and matplotlib, and a small module that is handed
# out with them. They do not need this package, and where they are marked it is not there: nobody hands in our
# function.
#
# ## A plan for one week
#
# | day | read | do |
# |---|---|---|
# | 1 | {doc}`tasks <01_tasks>`, {doc}`wrong labels <02_perturbation>` | assignment *noise* |
# | 2 | {doc}`training <03_training>`, {doc}`swapping <04_swapping>` | begin *swapping* |
# | 3 | {doc}`where the truth is known <03b_control>` | finish *swapping* |
# | 4 | {doc}`all techniques side by side <08_agreement>` | discussion: what would change our mind? |
# | 5 | {doc}`your own model <10_your_own_model>` | run it on a classifier from your own work |
#
# ## A plan for four weeks
#
# | question | read chapters | do |
# |---|---|---|
# | Week 1: How is memorisation made? | {doc}`tasks <01_tasks>` to {doc}`training <03_training>` | *noise* |
# | Week 2: What happens if layers are exchanged? | {doc}`04_swapping`, {doc}`05_retraining` | *swapping* |
# | Week 3: What can be seen from outside? | {doc}`06_gradients` to {doc}`09_centroids` | *gradients*, *centroids* |
# | Week 4: Whom should we believe? | {doc}`03b_control`, {doc}`03c_planted`, {doc}`08_agreement` | *control* |
#
# Each chapter ends in exercises for the seminar room. The free part of *control*, a control experiment of one's own,
# is a good start for a project: the {doc}`chapter on planted memory <03c_planted>` enters a new localiser in a few
# lines and scores it. Chapters that neither plan needs suit a talk or an essay: {doc}`maps <09b_maps>`,
# {doc}`the number of classes <09c_binarised>`, {doc}`size <09d_size>`, {doc}`other draws <09e_sensitivity>`, and the
# {doc}`ledger <13_ledger>` on what it takes to say that a finding holds.
#
# ## Hand out
#
# ```
# make assignments
# ```
#
# writes an nbgrader course to `_build/classroom`: `release` is for students, without solutions; `source` is yours,
# with them; `teacher` holds rubrics and hidden checks. If you use nbgrader on a JupyterHub, this folder is your
# course directory: releasing and collecting work as always (with the environment activated, since nbgrader calls other
# programs). Marks then come from `make grade`, because the hidden checks are in no notebook. If you do not use
# nbgrader, put the folders of `release` where students find them.
#
# Solutions of the book's own exercises are folded. `make book SOLUTIONS=withhold` builds a book without them, in
# which they are in no file; `SOLUTIONS=show` opens them all. Solutions and hidden checks of this project can be read
# by anyone who looks for its sources. Checks ask with numbers drawn from a student's own seed, so there is no list of
# answers to copy, but a solution can be copied. If that matters, change the assignments, or write your own folder of
# them: `make assignments` and `make grade` take `ASSIGNMENTS=folder`.
#
# ## Mark
#
# ```
# make grade SUBMISSIONS=handed-in ASSIGNMENT=swapping ROSTER=students.csv DUE=2027-05-14T18:00
# ```
#
# takes what you have: a folder for each student, nbgrader's own `submitted` folder, single notebooks, or the archive
# that Canvas or Moodle gives you for a whole class. It writes `grades.csv` with every point, `canvas.csv` and
# `moodle.csv` to import, a feedback page for each student, and a list of solutions that are nearly the same, for your
# eyes. A roster is a CSV file with a column `student`; whoever is on it and handed in nothing is listed as missing.
# Late work is marked and says that it is late: what follows from that is yours to decide.
#
# Free answers wait for you with their text and the rubric's levels. Enter points in a CSV file (`student, assignment,
# part, points`) and run the same command with `MARKS=points.csv`; nothing is run again.
#
# ### What runs, and what cannot happen
#
# A submission is run as the teacher's notebook with the student's answers in it: whoever edits a check is marked by
# the original and flagged. It runs in a process that sees no network, no files but its own, and neither this package
# nor the assignment's sources, for at most {glue:text}`class-seconds` seconds and with {glue:text}`class-memory` of
# memory.
#
# Hidden checks are never in that process. It is only *asked* things, with numbers, and answers with numbers; what was
# expected stays with the program that compares. A submission that patches `numpy.allclose`, reads its parent's memory
# or looks through the interpreter's objects finds nothing but the questions, and cannot send even these anywhere.
# Feedback pages tell what was wrong in words that were written for students, and show neither checks nor solutions.
#
# Endless loops, processes that multiply, full disks, megabytes of output, archives that unfold into gigabytes or out
# of their folder, broken and renamed notebooks: each of them costs its own author's points and nobody else's. The
# tests of this package try all of these. Marking needs Linux with user namespaces, or to be run as root there;
# elsewhere the command says so and marks nothing.
#
# ## Put the book where students can read it
#
# `_build/html` is the whole book in plain files. Copy it to any web server, or into the files area of a course; it
# asks nothing of other machines and can be opened from a disk. `make publish` makes a folder that has the executed
# notebooks and the tables beside the pages.
