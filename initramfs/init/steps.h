/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef RIG_STEPS_H
#define RIG_STEPS_H

#include "job.h"

/* Runs step `number` from its START record to its EXIT record; nothing of it is left when this returns. */
void step_run(const struct job *job, uint32_t number);

/* The environment of a step: init's own, then the step's, which wins. Ends with NULL. */
char **step_environment(char **own);

#endif
