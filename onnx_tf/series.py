"""Factors of polynomials that are close to functions, for runtimes that do not have them."""

ERF_NEAR = (0.128379148, -0.376124811, 0.112816825, -0.0267617195, 0.00498594007, -0.000595373924)
"""(erf(x) / x - 1) by powers of x², for x below 0.93."""

ERF_FAR = (1.12851341, 0.635722038, 0.105256311, -0.0228860398, 0.00321362297, -0.00021381129)
"""-log(1 - erf(x)) / x by powers of x, from 0.91 to 4."""
