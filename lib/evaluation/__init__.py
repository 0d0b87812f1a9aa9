"""Evaluation on test sets: streamed batch by batch on the device, with one number per sample and figure kept.

A data set's ``evaluator`` has its published protocol. The errors of the progress bar and the epoch log are
means of batch means, as in the original; the final figures are exact means over all samples.

In the original's words: ``update`` of a ``LiftEvaluator`` is ``compute_joint_err`` and its ``lines`` are printed by
``evaluate_joint``; of a ``MeshEvaluator``, ``compute_both_err`` and ``evaluate``.
"""
