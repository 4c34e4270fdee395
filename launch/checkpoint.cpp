// scoremle checkpoint: what a run has saved, and whether it is whole.
#include "launch/command.h"
