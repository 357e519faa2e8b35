# SPDX-License-Identifier: Apache-2.0
"""Programs that label: a model, an ONNX file, an HTTP endpoint or a command behind one face.

What is asked is an item; what comes back is a class by name or number, "skip", or probabilities
(docs/label.md has the contract of each kind).
"""
