# %% [markdown]
# # The ledger of claims
#
# *Which findings of the study hold, and on what?*
#
# Whoever repeats a study can always find something that agrees and something that does not. So the study's
# {glue:text}`ledger-claims` findings were written down as rules before the first run on real data: which number
# decides, how large it has to be, what chance would give, and how much data it takes. This page applies all of them to
# the study's own numbers and to every released run, and says as plainly where nothing can be said.

# %% tags=["parameters"]
profile = "mini"  # not used here: the ledger is of the released runs, not of this copy's

# %% tags=["hide-input", "remove-stderr"]
from IPython.display import Markdown

from memloc.publishing import facts, sources, tabulate, tabulate_checks, tabulate_claims, tabulate_firm, tabulate_ledger

ledger = tabulate_ledger.read_ledger()
facts.glue_all("ledger", tabulate_ledger.ledger_facts(ledger), sources.CLAIMS, sources.STUDY, ledger)
facts.glue_all("ledger", tabulate_claims.commits(), sources.CLAIMS)
Markdown(tabulate_ledger.sources_sentence(ledger))

# %% [markdown]
# ## How to read it
#
# A finding **holds** if every part of its rule reaches its threshold and a test excludes chance, at a level of
# {glue:text}`ledger-alpha`. It **does not hold** if there are data enough and a part's whole interval lies on the wrong
# side. Everything else is **cannot tell**. That is no polite word for *no*: it means that the data do not decide.
#
# What *holds* excludes is chance, and chance is what each rule says it is: a share of tasks is tested against one half,
# not against the share that is asked for. So an interval can reach below the threshold of a finding that holds.
#
# Things to keep apart:
#
# - *A number and a verdict.* A number can be computed from two tasks. A verdict asks for as many tasks, models and
#   seeds as its rule names, because over fewer of them even a perfect result could be chance.
# - *The study's numbers and the study.* Most of what it measured was not published by task and model. Its numbers were
#   read off figures and tables, and the same rules applied to them where they suffice. Where they do not, the table
#   says *not judged*, and how many of the known numbers lie where the rule asks. That speaks of what can be known from
#   outside and not of the study.
# - *Memorised and learnt.* The rules ask that the wrong labels were memorised. They do not ask that the task was
#   learnt, as other chapters do before they conclude anything. Cells that learnt it, by run:
#   {glue:text}`ledger-learnt`. What that changes stands under *How firm the verdicts are*.
# - *{term}`Exploratory <exploratory>`.* Settings were chosen while looking at one of the tasks. Such a verdict can
#   suggest and not confirm, and every finding about all tasks is of this kind.

# %% tags=["hide-input"]
tabulate.show_table(tabulate_ledger.ledger_table(ledger))

# %% [markdown]
# The number after a verdict is that of the part that decided, with its interval. Runs that are not named have too
# little data for a verdict, or nothing but cells of a run that is.
#
# Every rule had its first version before the first results on real data, {glue:text}`ledger-first-run`. The file of
# rules was last changed in {glue:text}`ledger-rule`. A rule that was changed stands here in both versions, with both
# verdicts; what was changed, and why, stands under *how it was read* near the end of the page.
#
# ## Part by part
#
# Here every number is shown that can be computed, from however few tasks, with how many there were. Intervals are those
# of the rules, wide where tasks are few, and left out of two. A dash: not measured, or not published.

# %% tags=["hide-input", "remove-stderr"]
tabulate.show_table(tabulate_ledger.part_table(ledger))

# %% [markdown]
# ## Why
#
# The reason that decided each verdict, and the runs it is true of. *No eligible rows* means that a run has not measured
# what the rule asks for, or only in cells that do not count: labels not memorised, or not all windows run. A $p$ is the
# largest of a finding's parts, since all of them must hold.

# %% tags=["hide-input"]
tabulate.show_table(tabulate_ledger.reason_table(ledger))

# %% [markdown]
# ## How firm the verdicts are
#
# {glue:text}`ledger-firm` A verdict that is lost so rested on tasks that nobody learnt, or was one chance among many.
# The table has every verdict of a released run that is not open: over the cells alone that learnt their task, its $p$
# by Holm's method among the findings of its run and among those of all runs, and, where another run says the opposite,
# what that other run says of just the tasks and models of this one.

# %% tags=["hide-input", "remove-stderr"]
firm = tabulate_firm.firmness(ledger)
facts.glue_all("ledger", tabulate_firm.firm_facts(firm), sources.CLAIMS, ledger)
tabulate.show_table(tabulate_firm.firm_table(firm))

# %% [markdown]
# ## Where we differ
#
# {glue:text}`ledger-checked` What differs from the study is known, and some of it can be checked without training
# anything.
#
# - *The task was not learnt.* A small model that finds nothing in a task to generalise memorises all of its labels, the
#   right ones too. Then nothing is left that only the wrong ones change. So each number stands here also over the tasks
#   that all models learnt, and over those that none did.
# - *It is one model.* A finding about four models can fail for one. So each number stands here model by model, where it
#   can be told of one.
# - *Size and pre-training.* Some released runs have models that are wider and saw more text. What those give on their
#   few tasks stands last. If it is nearer to the study's, small size may be the reason; if not, it is not size alone.
# - *Data and training.* Fewer rows, shorter texts, a larger learning rate, and an end when all is memorised: what each
#   run changed stands with its figures, as on the page of {doc}`the whole grid <09f_grid>`. This cannot be told from
#   the released numbers, except as far as {doc}`09e_sensitivity` varied it.
#
# A row has a number, whose it is, and whether it is as the rule asks, whatever chance would do. These looks were chosen
# with the results known. They suggest reasons and settle none.

# %% tags=["hide-input", "remove-stderr"]
facts.glue_all("ledger", tabulate_checks.check_facts(ledger), sources.CLAIMS, ledger)
tabulate.show_table(tabulate_checks.check_table(ledger))

# %% [markdown]
# ## What the rules do not see
#
# Rules that were fixed beforehand stay as they are, also where one would write them otherwise today. Weaknesses that
# showed:
#
# - *C03* asks that even the worst window spares the clean examples, down to {glue:text}`ledger-clean-spared`. The study
#   printed {glue:text}`ledger-clean-mean` for the mean over windows, with a standard deviation of
#   {glue:text}`ledger-clean-sd`. Numbers between {glue:text}`ledger-clean-spared` and 1 with this mean can have one of
#   {glue:text}`ledger-clean-most` at most. So some of its own windows lie lower, and that part asks for more than the
#   study itself has shown.
# - *C10* takes the mean position at the start and asks that it be large enough. A position beyond the original class
#   counts in its favour, and one far beyond can hide one that falls short. Where noisy examples end no lower than they
#   began there is no largest step, and the task drops out of that part instead of failing it.
# - *C08* also takes runs that retrained few window lengths. Where single layers, put back, forget nothing, the window
#   of all layers is all that is left, and the M-CoG is the middle whatever the memory does. Cells where it is exactly
#   that, by run: {glue:text}`ledger-still`. A low correlation there speaks of the windows, not of the techniques. And
#   it does not hold where one of five intervals lies below its threshold, so chance has five tries.
# - *C09* is about correlations above 0, and takes one of exactly 0 for enough.
# - *C11* compares two tasks with the others. With two, the interval of a difference can reach beyond what layers can
#   differ by. It is wide because it knows next to nothing, and the test by exchanging tasks alone decides.
# - *C11, C12 and C14* use crossings as layers. Noisy examples that are nearer to the wrong class from layer 1 on have
#   none, and count as crossing at 0.
#
# ## Many findings, many chances
#
# {glue:text}`ledger-comparisons` That is the column *p, Holm*.
#
# What counts as one observation decides how much evidence there is. Here it is this. {glue:text}`ledger-unit`
#
# ## The findings and their rules
#
# A finding in a sentence leaves room, and each rule had to fill it. How it was filled stands here, so that you can
# disagree.

# %% tags=["hide-input", "hide-output"]
tabulate.show_table(tabulate_ledger.rule_table(ledger))

# %% [markdown]
# ## Take-away
#
# - *On the study's numbers*, where they suffice: {glue:text}`ledger-study`.
# - *On the released runs* holds: {glue:text}`ledger-holds`. Does not hold: {glue:text}`ledger-refuted`. Open, with data
#   enough: {glue:text}`ledger-open`.
# - *How firm that is.* {glue:text}`ledger-firm`
# - No released run has data enough for: {glue:text}`ledger-lacking`. What each lacks stands under *Why*.
# - A verdict is worth what its rule was worth before the result was known. The commits above say which came first.
# - Agreement of a number with the study's is not yet a finding that holds, and a dash is not a failure.
#
# **What would change our mind.** A run with the tasks and models that a rule asks for, released in `results/`: it
# appears here by itself.
#
# ## Exercises
#
# ```{exercise} Fifteen tests
# :label: ex-ledger-many
#
# Suppose that nothing at all is true, and that fifteen independent findings are each tested at a level of .05. How
# likely is at least one false *holds*? What would Holm's method ask of the smallest of the fifteen $p$ values?
# ```
#
# ```{exercise} Four tasks
# :label: ex-ledger-few
#
# In a run, four of four tasks have their centre of gravity below the middle. A sign-flip test counts how many of all
# ways to give the four numbers a sign are as extreme. What is the smallest $p$ it can give? From how many tasks on can
# such a finding hold at .05?
# ```
