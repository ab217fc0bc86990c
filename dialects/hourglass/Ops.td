// All ops of the dialect, family by family.
include "dialects/hourglass/Window.td"
include "dialects/hourglass/Resize.td"
include "dialects/hourglass/Pointwise.td"
include "dialects/hourglass/Weights.td"
include "dialects/hourglass/Gradient.td"
include "dialects/hourglass/Loss.td"
