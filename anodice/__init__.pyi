# The names of the library: `__init__.py` reads them here, and so do type checkers and editors.
from . import data as data, functional as functional, metrics as metrics, models as models
from . import scoring as scoring, thresholds as thresholds
from .app.configs import CONF as CONF, compose as compose
from .augmentation.appearance import Augmentation as Augmentation
from .augmentation.defect_painter import DefectPainter as DefectPainter
from .data.datamodule import DiceDataModule as DiceDataModule
from .data.layouts import dice6 as dice6, dice11 as dice11
from .data.photo_dataset import PhotoDataset as PhotoDataset
from .data.photo_folder import PhotoFolder as PhotoFolder
from .data.splitting.strategies import Clean as Clean, Folds as Folds, Published as Published
from .errors import AnodiceError as AnodiceError
from .metrics.bootstrap import bootstrap as bootstrap
from .metrics.comparison import compare as compare
from .metrics.sweep import Confusion as Confusion, sweep as sweep
from .models.ae_classifier import AEClassifier as AEClassifier, AEClassifierNetwork as AEClassifierNetwork
from .models.conv_ae import ConvAE as ConvAE, ConvAENetwork as ConvAENetwork
from .models.defect_unet import DefectUNet as DefectUNet, UNet as UNet
from .models.detector import Detector as Detector, Scored as Scored, TrainedDetector as TrainedDetector
from .models.inception import InceptionCAENetwork as InceptionCAENetwork
from .models.inception_cae import InceptionCAE as InceptionCAE
from .models.local_memory import LocalMemory as LocalMemory
from .models.memory_detector import EncoderMemory as EncoderMemory
from .models.optimizers import adam as adam, adamw as adamw, sgd as sgd
from .models.patchcore import PatchMemory as PatchMemory
from .models.reconstruction import ReconstructionDetector as ReconstructionDetector
from .models.vae import VAE as VAE, VAENetwork as VAENetwork
from .prediction.prediction import Prediction as Prediction
from .prediction.predictor import Predictor as Predictor
from .programs.library import audit as audit, evaluate as evaluate, train as train
from .programs.runs import Run as Run, Runs as Runs
from .scoring.map_score import MapScore as MapScore
from .scoring.pooling import Max as Max, Mean as Mean, TopMean as TopMean
from .scoring.residual_score import ResidualScore as ResidualScore
from .scoring.residuals import L1 as L1, L2 as L2, SSIM as SSIM, TolerantL1 as TolerantL1
from .thresholds.normals import NormalQuantile as NormalQuantile, NormalsOnly as NormalsOnly
from .thresholds.rules import F1Max as F1Max, FBeta as FBeta, Manual as Manual, Oracle as Oracle
from .thresholds.rules import PerClass as PerClass, PrecisionAt as PrecisionAt, RecallAt as RecallAt
from .thresholds.threshold import Threshold as Threshold

__version__: str
