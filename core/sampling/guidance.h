// Classifier-free guidance (Ho and Salimans 2022): two scores of a network with labels as one.
#pragma once

#include "core/likelihood/score.h"

namespace core::sampling {

/// unconditional + weight (conditional - unconditional): weight 0 draws from the unconditional density, 1 from the
/// conditional one, more exaggerates what tells the class from the rest. Each call asks both scores, so an evaluation
/// counts twice on the network. Without a trace.
likelihood::Score guided(likelihood::Score conditional, likelihood::Score unconditional, double weight);

}  // namespace core::sampling
