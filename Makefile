# The course on one computer: `make help` lists what there is.
#
# make course                                   every lesson on the embedded model
# make course LESSON=01 MODEL=tiny DEVICE=cuda  narrow it and steer it
# make course JOBS=1                            one lesson at a time, not one a core
# make course TORCH_INDEX=URL                   take torch from another index
# make course INDEX=URL                         take all packages from another index

PYTHON ?= python3.11
VENV ?= .venv
INDEX ?=
TORCH_INDEX ?=
LESSON ?=
MODEL ?=
DEVICE ?=
JOBS ?=
REPOSITORY ?=
ROWS ?=
SCALE ?=

BIN := $(VENV)/bin
READY := $(VENV)/.ready
PIP = $(@D)/bin/python -m pip install --disable-pip-version-check -c constraints.txt
STEER := $(if $(LESSON),--lesson $(LESSON)) $(if $(MODEL),--model $(MODEL)) \
	$(if $(DEVICE),--device $(DEVICE))

# Read by pip here and by `ptlearn fetch`, which brings the model with pip.
ifneq ($(INDEX),)
export PIP_INDEX_URL := $(INDEX)
endif
# A Jupyter set up for another environment must not lend us its kernel.
export JUPYTER_PREFER_ENV_PATH := 1

.DEFAULT_GOAL := help
.PHONY: help setup course site slides test test-fast browser-test lint lab refresh smoke \
	bench faults worlds clean class class-setup class-release class-fetch class-submit \
	class-collect class-grade class-forms class-feedback class-grades class-test \
	made student

help:  ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

setup: $(READY)  ## the virtual environment and the model, nothing else
	$(BIN)/ptlearn fetch

course: setup  ## run the lessons, one a core; notebooks and pages in build/course
	$(BIN)/ptlearn course $(STEER) $(if $(JOBS),--jobs $(JOBS))

# Buttons lead to the repository's address: `make site REPOSITORY=https://...`, or
# [project.urls] in pyproject.toml. Without one the pages have none.
site: $(READY)  ## the web edition of the stored lessons, in build/site
	$(if $(REPOSITORY),PTLEARN_REPOSITORY=$(REPOSITORY)) $(BIN)/ptlearn site

slides: $(READY)  ## slides of the lessons for teachers, in build/slides
	$(BIN)/ptlearn slides $(if $(LESSON),--lesson $(LESSON))

# One pytest run, so that its last line is the sum of everything: unit tests,
# rules for notebooks, each lesson with its solutions on the tiny model, and each
# lesson as it stands on the embedded model (nbval). As many processes as cores, of
# one thread each: two such do more than one of two threads. A file stays in one
# process (nbval asks for that), and tests/conftest.py puts the longest files first.
PYTEST := OMP_NUM_THREADS=1 TQDM_DISABLE=1 HF_HUB_OFFLINE=1 $(BIN)/python -m pytest \
	--numprocesses auto --dist loadfile --no-loadscope-reorder

test: setup lint  ## everything that CI runs
	$(PYTEST) tests notebooks --nbval-lax --nbval-current-env --nbval-cell-timeout=600

test-fast: $(READY)  ## what to run after changing a line: two minutes
	$(PYTEST) tests -m "not slow and not lessons and not embedded"

browser-test: site  ## web edition and JupyterLab in Chromium: a few minutes
	tests/browser/install.sh build/browser
	BROWSER_TOOLS=build/browser $(BIN)/python -m pytest tests/browser

lint: $(READY)  ## ruff on code and notebooks, and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

lab: setup  ## JupyterLab in notebooks/
	cd notebooks && $(abspath $(BIN))/jupyter lab

refresh: setup lint  ## run lessons in place and store their outputs
	$(BIN)/ptlearn refresh $(if $(LESSON),--lesson $(LESSON))

smoke: $(READY)  ## every lesson on the tiny model: minutes, no download
	$(BIN)/ptlearn course $(if $(LESSON),--lesson $(LESSON)) --model tiny \
		--no-pages --out build/smoke

bench: setup  ## ptlearn against PEFT on this machine; wants it quiet
	cd benchmarks && $(abspath $(BIN))/python bench.py

faults: setup  ## do harm on purpose, and count what held: ROWS="fit save", SCALE=.1
	cd benchmarks && $(abspath $(BIN))/python -m faults \
		$(ROWS) $(if $(SCALE),--scale $(SCALE))

worlds: $(READY)  ## build the invented world of lesson 08 and its models anew: minutes
	$(BIN)/python data/worlds/build.py

# A class with graded assignments: class/grading.md explains each step. nbgrader has an
# environment of its own, and writes only below CLASS_WORK.
ASSIGNMENT ?= prompts
STUDENT ?=
AGAIN ?=
CLASS_VENV ?= .venv-class
CLASS_WORK ?= build/class
CLASS_BIN := $(abspath $(CLASS_VENV))/bin
CLASS_READY := $(CLASS_VENV)/.ready
# nbgrader looks for its helper alembic on the PATH, and for its settings where it runs.
NBGRADER := cd $(CLASS_WORK) && PATH="$(CLASS_BIN):$$PATH" nbgrader
HOME_OF := students/$(STUDENT)
AS_STUDENT := --CourseDirectory.student_id=$(STUDENT) \
	--Exchange.assignment_dir=$(HOME_OF) --Exchange.cache=$(HOME_OF)/.submitted

# Students whose work did not come through the exchange: nbgrader cannot send it back.
NOT_EXCHANGED = for work in feedback/*/$(ASSIGNMENT); do \
	test -f $$work/submission_secret.txt || basename $$(dirname $$work); \
	done | paste -sd, -

class-setup: $(CLASS_READY)  ## nbgrader, in an environment of its own

class: $(CLASS_READY)  ## make the students' versions of the two graded assignments
	mkdir -p $(CLASS_WORK)/exchange && chmod a+rwx $(CLASS_WORK)/exchange
	rm -rf $(CLASS_WORK)/source && mkdir $(CLASS_WORK)/source
	cp -R class/assignments/prompts class/assignments/encoders $(CLASS_WORK)/source
	cp class/nbgrader_config.py $(CLASS_WORK)
	$(NBGRADER) generate_assignment prompts --force
	$(NBGRADER) generate_assignment encoders --force

class-release: $(CLASS_READY) made  ## give ASSIGNMENT=prompts (or encoders) to the students
	$(NBGRADER) release_assignment $(ASSIGNMENT) --force

class-fetch: $(CLASS_READY) made student  ## as STUDENT=ada: get the assignment, or feedback
	mkdir -p $(CLASS_WORK)/$(HOME_OF)
	test -d $(CLASS_WORK)/$(HOME_OF)/$(ASSIGNMENT) || \
		( $(NBGRADER) fetch_assignment $(ASSIGNMENT) $(AS_STUDENT) )
	test ! -d $(CLASS_WORK)/exchange/ptlearn/feedback || \
		( $(NBGRADER) fetch_feedback $(ASSIGNMENT) $(AS_STUDENT) )

class-submit: $(CLASS_READY) made student  ## as STUDENT=ada: hand the assignment in
	$(NBGRADER) submit $(ASSIGNMENT) $(AS_STUDENT)

class-collect: $(CLASS_READY) made  ## take in the latest submission of each student
	$(NBGRADER) collect $(ASSIGNMENT) --update

class-grade: $(CLASS_READY) made  ## run and grade what was handed in; it runs with your rights
	$(CLASS_BIN)/python class/grade.py $(ASSIGNMENT) --work $(abspath $(CLASS_WORK)) \
		$(if $(STUDENT),--student $(STUDENT)) $(if $(AGAIN),--again)

class-forms: $(CLASS_READY) made  ## JupyterLab, to give points to written answers
	cd $(CLASS_WORK) && PATH="$(CLASS_BIN):$$PATH" jupyter lab

class-feedback: $(CLASS_READY) made  ## write each student's feedback page and release it
	$(NBGRADER) generate_feedback $(ASSIGNMENT) --force
	$(NBGRADER) release_feedback $(ASSIGNMENT) \
		--CourseDirectory.student_id_exclude="$$($(NOT_EXCHANGED))"

class-grades: $(CLASS_READY) made  ## all grades as CSV, in build/class/grades.csv
	$(NBGRADER) export --to=grades.csv
	cat $(CLASS_WORK)/grades.csv

class-test: $(CLASS_READY) $(READY)  ## the whole cycle with five submissions: minutes
	$(BIN)/python -m pytest tests/classroom

made:
	@test -d $(CLASS_WORK)/release || { echo "First say: make class"; exit 1; }

student:
	@test -n "$(STUDENT)" || { echo "Which student? Say STUDENT=ada."; exit 1; }

clean:  ## remove what was built; .venv and the model stay
	rm -rf build dist .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -not -path './$(VENV)/*' \
		-not -path './$(CLASS_VENV)/*' -prune -exec rm -rf {} +

# torch first and alone: asked for together with the rest, pip may take a build
# of several gigabytes. The stamp keeps a second run from asking pip for anything.
$(READY): EXTRAS := course,docs,test
$(CLASS_READY): EXTRAS := course,teach
$(READY) $(CLASS_READY): pyproject.toml constraints.txt
	test -x $(@D)/bin/python || $(PYTHON) -m venv $(@D)
	$(PIP) --upgrade pip
	$(PIP) $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) torch
	$(PIP) -e '.[$(EXTRAS)]'
	touch $@
