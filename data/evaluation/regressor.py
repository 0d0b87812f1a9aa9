"""Joint regressors for many meshes."""

from lib.joint_regressor import JointRegressor

__all__ = ["JointRegressor"]
