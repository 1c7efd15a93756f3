"""What no study may say, and the line that is said of it."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from study_cases import BASE, SCHEMA, refusal

from minimascope.errors import InputError
from minimascope.study.loading import deep_merge, load_study

# Beside the images of the small study, and instead of them.
SOUNDS = yaml.safe_load("datasets: {sounds: {source: audio_folder, table: mine.csv}}")
POINTS = yaml.safe_load(
    "{datasets: {small: {source: circles}}, networks: {vgg: {architecture: mlp}}}"
)

# What a study changes, as YAML, and how the line begins that it is refused with.
FAULTS = """
analysis: {smallest_differences: {fisher_rao: 5 %}}
  analysis.smallest_differences: no measure 'fisher_rao'; did you mean 'fisher_rao_norm'?
analysis: {smallest_differences: {fisher_rao_norm: 5 percent}}
  analysis.smallest_differences.fisher_rao_norm: '5 percent' is no share; write one as 5 %
analysis: {smallest_differences: {fisher_rao_norm: 0 %}}
  analysis.smallest_differences.fisher_rao_norm: must be greater than 0, got 0 %
analysis: {smallest_differences: {test_accuracy: 0}}
  analysis.smallest_differences.test_accuracy: must be greater than 0, got 0
analysis: {smallest_differences: {test_accuracy: [0.01]}}
  analysis.smallest_differences.test_accuracy: expected a number or text, got a list; write 0.01
evaluation: {adversarial: {}}
  evaluation.adversarial: 'radii' is missing; add it
evaluation: {adversarial: {radii: {linf: 8/255}}}
  evaluation.adversarial.radii.linf: expected a list, got the text '8/255'; write [8/255]
evaluation: {adversarial: {radii: {l1: [8/255]}}}
  evaluation.adversarial.radii.l1: unknown key; valid: l2, linf
evaluation: {adversarial: {radii: {linf: [8/]}}}
  evaluation.adversarial.radii.linf[0]: '8/' is no fraction; write a radius as 8/255, or as a number
evaluation: {adversarial: {radii: {linf: [1111111111/1]}}}
  evaluation.adversarial.radii.linf[0]: '1111111111/1' is no fraction; write a radius as 8/255
conditions: {robust: {adversarial: {radius: 8/1111111111}}}
  conditions.robust.adversarial.radius: '8/1111111111' is no fraction; write a radius as 8/255
evaluation: {adversarial: {radii: {linf: [0]}}}
  evaluation.adversarial.radii.linf[0]: must be greater than 0, got 0
evaluation: {adversarial: {radii: {linf: [8]}}}
  evaluation.adversarial.radii.linf: 8 is more than the range of pictures, 1 in L∞; write a fraction
evaluation: {adversarial: {radii: {l2: [9]}}}
  evaluation.adversarial.radii.l2: 9 is more than the range of pictures, 8 in L2; write a fraction
evaluation: {adversarial: {radii: {l2: [0.5, 1/2]}}}
  evaluation.adversarial.radii.l2: lists a radius twice; give each once
evaluation: {adversarial: {radii: {linf: [8/255]}, samples: 0}}
  evaluation.adversarial.samples: must be at least 1, got 0
evaluation: {adversarial: {radii: {linf: [8/255]}, attack: cw}}
  evaluation.adversarial.attack: unknown name 'cw'; valid: apgd, fgsm, pgd
{datasets: {small: {classes: [0, 1]}}, evaluation: {adversarial: {radii: {l2: [1]}, losses: [dlr]}}}
  evaluation.adversarial.losses: dlr needs three classes, and small has two; write [ce]
conditions: {robust: {adversarial: {}}}
  conditions.robust.adversarial: 'radius' is missing; add it
conditions: {robust: {adversarial: {radius: 3/2}}}
  conditions.robust.adversarial.radius: 3/2 is more than the range of pictures, 1 in L∞
conditions: {robust: {adversarial: {radius: 8/255, norm: l1}}}
  conditions.robust.adversarial.norm: unknown name 'l1'; valid: l2, linf
analysis: {smallest_differences: {adversarial_accuracy_linf_4_255: 1}}
  analysis.smallest_differences: no measure 'adversarial_accuracy_linf_4_255'; valid
seed: [0]
  seed: unknown key; did you mean 'seeds'?
seeds: "0"
  seeds: expected a list, got the text '0'; write [0]
seeds: 3
  seeds: expected a list, got 3; write [0, 1, 2], or [3] for that one alone
seeds: 42
  seeds: expected a list, got 42; write [42]
seeds: 0-4
  seeds: expected a list, got the text '0-4'
datasets: {small: {train_size: '1e3'}}
  datasets.small.train_size: expected a whole number, got the text '1e3'; write 1000
training: {epochs: 3.0}
  training.epochs: expected a whole number, got 3.0; write 3
training: {optimizer: {lr: 1e-8}}
  training.optimizer.lr: expected a number, got the text '1e-8'; write 1.0e-08
seeds: [1, 1]
  seeds: lists a value twice; give each once
seeds: [-1]
  seeds[0]: must be at least 0, got -1
seeds: [4294967296]
  seeds[0]: must be at most 4294967295
seeds: []
  seeds: is empty; give at least 1
networks: {deep: {architecture: resnet, blocks: [1, 1, 1, 1, 1, 1, 1, 1, 1]}}
  networks.deep.blocks: has 9; give at most 8
sweeps: {s: {axes: {}}}
  sweeps.s.axes: is empty; give at least 1
networks: null
  networks: expected a mapping, got nothing; write a name before each of its entries, such as {mine:
networks: {vgg: {}, other: {width: 1}}
  networks.other: 'architecture' is missing; add it: resnet18, resnet, vgg19, vit, vit_standard,
datasets: {other: {path: x}}
  datasets.other: 'source' is missing; add it: digits, digit_styles, letters, circles,
networks: {vgg: {architecture: resnet}}
  networks.vgg: 'blocks' is missing; add it
networks: {vgg: {architecture: pretrained_cnn10}}
  networks.vgg: 'weights' is missing; add it
networks: {vgg: {patch_size: 4}}
  networks.vgg.patch_size: not a setting of vgg19; valid: new_head, weights, width
networks: {vgg: {widht: 4}}
  networks.vgg.widht: not a setting of vgg19; did you mean 'width'?
conditions: {true: {}, "on": {}}
  conditions.on: True and 'on' are one name; rename one
datasets: {small: {1: 1, "1": 2}}
  datasets.small.1: 1 and '1' are one name; rename one
conditions: {a b: {}}
  conditions: 'a b' is no name; begin with a letter
conditions: {SAM: {}}
  conditions.SAM: differs from sam only in its capitals; rename one
datasets: {small: {shifted: {nan: {source: digit_styles, style: thick}}}}
  datasets.small.shifted.nan: stands for a value in tables, not for a name; choose another name
datasets: {small: {unseen: {a: {source: letters}, A: {source: letters}}}}
  datasets.small.unseen.A: differs from a only in its capitals; rename one
networks: {all: {architecture: mlp}}
  networks.all: tables call all networks together by this name; rename it
conditions: {initial: {}}
  conditions.initial: this is the name of the weights before training; rename it
study: ../x
  study: '../x' is no name; begin with a letter
study: Compared
  study: results/Compared is for comparisons of studies; rename it
study: Published
  study: results/Published is for what no study decides; rename it
study: my-Published
  study: results/my-Published is for my under protocol published; rename it
training: {label_noise: 1.5}
  training.label_noise: must be at most 1, got 1.5
conditions: {a: {sam: {}}}
  conditions.a.sam: 'rho' is missing; add it
conditions: {a: {optimizer: {name: adam}}}
  conditions.a.optimizer: 'lr' is missing; add it
conditions: {a: {optimizer: {name: adam, lr: 1.0, momentum: 0.9}}}
  conditions.a.optimizer.momentum: not a setting of adam; valid: betas, eps, lr, weight_decay
conditions: {a: {optimizer: {beta: [0.9, 0.9]}}}
  conditions.a.optimizer.beta: unknown key; did you mean 'betas'?
conditions: {a: {optimizer: {betas: [0.9, 0.9]}}}
  conditions.a.optimizer.betas: not a setting of sgd; valid: lr, momentum, nesterov, weight_decay
training: {optimizer: {name: adam, lr: 1, betas: [0.9]}}
  training.optimizer.betas: has only 1; give at least 2
conditions: {a: {optimizer: {nesterov: true}}}
  conditions.a.optimizer.nesterov: needs a momentum above 0; add it
conditions: {a: {schedule: {name: constant, period: 5}}}
  conditions.a.schedule.period: not a setting of constant; did you mean 'per'?
conditions: {a: {schedule: {name: multi_step}}}
  conditions.a.schedule: 'milestones' is missing; add it
conditions: {a: {schedule: {name: multi_step, milestones: [2, 5]}}}
  conditions.a.schedule.milestones: 5 is too late in a training of 5 epochs; take earlier ones
conditions: {a: {schedule: {name: multi_step, milestones: [4, 2], warmup: 3}}}
  conditions.a.schedule.milestones: 2 is within the warm-up of 3 epochs; take later ones, or shorten
training: {schedule: {name: multi_step, milestones: [5]}}
  training.schedule.milestones: 5 is too late in a training of 5 epochs; take earlier ones
{training: {schedule: {name: multi_step, milestones: [4]}}, conditions: {a: {epochs: 3}}}
  conditions.a.schedule.milestones: 4 is too late in a training of 3 epochs; take earlier ones
datasets: {large: {training: {schedule: {name: one_cycle, warmup: 1}}}}
  datasets.large.training.schedule.warmup: one_cycle has a rise of its own; leave it out
datasets: {large: {conditions: {sam: {schedule: {warmup: 6}}}}}
  datasets.large.conditions.sam.schedule.warmup: 6 epochs leave nothing of a training of 5
sweeps: {s: {axes: {training.schedule.warmup: [6]}}}
  sweeps.s.axes.training.schedule.warmup: 6 epochs leave nothing of a training of 5
{sweeps: {s: {axes: {training.epochs: [2]}}}, training: {averaging: {name: swad}}}
  sweeps.s.axes.training.epochs: 2 epochs are too few to choose from by 3 validation losses; train
{sweeps: {s: {axes: {training.batch_size: [9]}}}, conditions: {sam: {new_head: true}}}
  conditions.sam.new_head: does nothing without weights; leave it out
{training: {schedule: {name: cosine}}, conditions: {a: {optimizer: {name: gdtuo, lr: 0.1}}}}
  conditions.a.schedule: gdtuo tunes its learning rate itself; set the schedule to {name: constant}
training: {optimizer: {nesterov: true}}
  training.optimizer.nesterov: needs a momentum above 0; add it
training: {new_head: true}
  training.new_head: does nothing without weights; leave it out
training: {weights: "~/mine.pt"}
  training.weights: '~' is not filled in; write
toy_fits: {at_once: 5}
  toy_fits.at_once: does nothing without together, where a job trains one network; set together
conditions: {a: {schedule: {name: cosine, warmup: 50}}}
  conditions.a.schedule.warmup: 50 epochs leave nothing of a training of 5; shorten it
conditions: {a: {schedule: {name: one_cycle}, epochs: 1}}
  conditions.a.schedule: one_cycle needs 2 epochs or more; train longer, or take another
conditions: {a: {schedule: {name: one_cycle, warmup: 1}}}
  conditions.a.schedule.warmup: one_cycle has a rise of its own; leave it out
conditions: {a: {optimizer: {name: gdtuo, lr: 0.1}, schedule: {name: constant, warmup: 1}}}
  conditions.a.schedule: gdtuo tunes its learning rate itself; set the schedule to {name: constant}
conditions: {a: {norm: None}}
  conditions.a.norm: unknown name 'None'; did you mean 'none'?
conditions: {a: {optimizer: {name: gdtuo, lr: 0.1}, schedule: {name: cosine}}}
  conditions.a.schedule: gdtuo tunes its learning rate itself; set the schedule to {name: constant}
sweeps: {s: {axes: {training.epochz: [1]}}}
  sweeps.s.axes.training.epochz: unknown key; did you mean 'epochs'?
sweeps: {s: {axes: {training.optimizer.lrr: [0.1]}}}
  sweeps.s.axes.training.optimizer.lrr: not a setting of sgd; did you mean 'lr'?
sweeps: {s: {axes: {training.epochs: [0]}}}
  sweeps.s.axes.training.epochs: must be at least 1, got 0
sweeps: {s: {axes: {training.optimizer.name: [adam]}}}
  sweeps.s.axes.training.optimizer: 'lr' is missing; add it
sharpness: {input: {noise: [0.3, 0.2, 0.1]}}
  sharpness.input.noise: the three are called small, medium and large; write [0.1, 0.2, 0.3]
{sharpness: {input: {}}, datasets: {large: {sharpness: {input: {noise: [0.1, 0.3, 0.2]}}}}}
  datasets.large.sharpness.input.noise: the three are called small, medium and large; write [0.1,
sweeps: {s: {axes: {training.epochs: [30]}, conditions: [nobody]}}
  sweeps.s.conditions: no condition 'nobody'; valid: baseline, sam
sweeps: {s: {axes: {training.epochs: [3]}}, t: {axes: {training.epochs: [3]}}}
  sweeps.t: condition 'baseline-epochs3' exists already; rename one
datasets: {small: {path: x}}
  datasets.small.path: not a setting of digits; valid: augment_test, classes,
datasets: {small: {features: {mels: 40}}}
  datasets.small.features: not a setting of digits; valid:
datasets: {large: {conditions: {sum: {epochs: 1}}}}
  datasets.large.conditions: no condition 'sum'; did you mean 'sam'?
datasets: {large: {networks: [vgh]}}
  datasets.large.networks: no network 'vgh'; did you mean 'vgg'?
datasets: {large: {networks: []}}
  datasets.large.networks: is empty
datasets: {small: {networks: [resnet]}, large: {networks: [resnet]}}
  networks.vgg: no data set lists it under networks; add it to one
datasets: {large: {source: cifar100, corrupted: cifar10_c}}
  datasets.large.corrupted: cifar10_c is not a corrupted copy of cifar100; set it to generated
datasets: {large: {source: digits, corrupted: tiny_imagenet_c}}
  datasets.large.corrupted: tiny_imagenet_c is not a corrupted copy of digits
datasets: {large: {corrupted: cifar10_c, test_samples: 100}}
  datasets.large.test_samples: cifar10_c belongs to the whole test split
evaluation: {corruptions: {names: [fogg]}}
  evaluation.corruptions.names[0]: unknown name 'fogg'; did you mean 'fog'?
sharpness: {forward: null, perturbation: null}
  sharpness: every family of finished networks is null; measure at least one, such as forward
{sharpness: {forward: null, perturbation: null, edge_of_stability: {}}, training: {keep: [1]}}
  sharpness: every family of finished networks is null; measure at least one, such as forward
analysis: {minimum_train_accuracy: 0.5}
  analysis.minimum_train_accuracy: is analysis.trained.train_accuracy now; write it there
analysis: {trained: {train_accuracy: 50}}
  analysis.trained.train_accuracy: must be at most 1, got 50
analysis: {trained: {train_loss: 0}}
  analysis.trained.train_loss: must be greater than 0, got 0
analysis: {baseline: basline}
  analysis.baseline: no condition 'basline'; did you mean 'baseline'?
sharpness: {on: [initial]}
  sharpness.on: lists no 'final'
sharpness: {view: [sharp]}
  sharpness.view[0]: unknown name 'sharp'; valid: augmented, clean
sharpness: {hessian: {trace_products: 10}}
  sharpness.hessian.trace_products: 10 is not a multiple of 3
sharpness: {hessian: {trace_products: 3}}
  sharpness.hessian.trace_products: 3 on small are too few; use 6 or more
sharpness: {interpolation: {}}
  sharpness.interpolation: has no lines, planes or seeds; add one of them
sharpness: {interpolation: {seeds: [baseline]}}
  sharpness.interpolation.seeds: the study has one seed; add another
{seeds: [0, 1], sharpness: {interpolation: {seeds: [base]}}}
  sharpness.interpolation.seeds: no condition 'base'; did you mean 'baseline'?
sharpness: {interpolation: {planes: [[initial, baseline, sam]], matched: true}}
  sharpness.interpolation.matched: has no lines to go beside; add lines or seeds
sharpness: {interpolation: {planes: [[initial, baseline, sam]], bezier: {}}}
  sharpness.interpolation.bezier: has no lines to go beside; add lines or seeds
{networks: {vgg: {architecture: cnn10}}, sharpness: {interpolation: {seeds: [sam], matched: true}}}
  sharpness.interpolation.matched: which hidden units of vgg (cnn10) can change places is not known;
sharpness: {interpolation: {lines: [[initial, base]]}}
  sharpness.interpolation.lines: no condition 'base'; did you mean 'baseline'?
datasets: {large: {sharpness: {hessian: {}}}}
  datasets.large.sharpness.hessian: a data set can change the settings of measures that
datasets: {large: {sharpness: {forward: null}}}
  datasets.large.sharpness.forward: a data set can change
datasets: {large: {sharpness: {view: [augmented]}}}
  datasets.large.sharpness.view: a data set can change
datasets: {large: {sharpness: {forward: {share: 1}}}}
  datasets.large.sharpness.forward.share: unknown key; valid: by_domain, published, published_share
datasets: {large: {sharpness: {forward: {published_share: 2}}}}
  datasets.large.sharpness.forward.published_share: must be at most 1, got 2
datasets: {large: {sharpness: {forward: 1}}}
  datasets.large.sharpness.forward: expected a mapping or null, got 1
toy_fits: {functions: [boot]}
  toy_fits.functions[0]: unknown name 'boot'; did you mean 'booth'?
toy_fits: {epochs: [0]}
  toy_fits.epochs[0]: must be at least 1
toy_fits: {radii: []}
  toy_fits.radii: is empty
toy_fits: {perturbations: 1}
  toy_fits.perturbations: must be at least 2
toy_fits: {seeds: [1]}
  toy_fits.seeds: unknown key
"""
# What newcomers write, and a line that leads out.
FIRST_TRIES = """
datasets: {small: {published_as: None}}
  datasets.small.published_as: unknown name 'None'; write null
datasets: {small: {published_as: cifar}}
  datasets.small.published_as: unknown name 'cifar'; did you mean 'cifar10'? valid: cifar1
evaluation: {corruptions: {names: [gain]}}
  evaluation.corruptions.names: none of them is made for the images of small; add one, such as
datasets: {small: {corrupted: None}}
  datasets.small.corrupted: unknown name 'None'; did you mean 'none'?
datasets: {small: {printed: cifar10}}
  datasets.small.printed: is datasets.small.published_as now; write it there
printed: cifar10
  printed: is datasets.<name>.published_as now; write it there
trained: {train_accuracy: 0.9}
  trained: unknown key; did you mean 'training'? analysis has a key trained, too
analysis: {smallest_differences: .nan}
  analysis.smallest_differences: expected a mapping, got nan; write a name before each of its
analysis: {smallest_differences: {test_accuracy: .nan}}
  analysis.smallest_differences.test_accuracy: expected a number or text, got nan; give a finite
analysis: {smallest_differences: {1: 2}}
  analysis.smallest_differences: no measure '1'; valid: accuracy_
analysis: {trained: {train_accuracy: 50 %}}
  analysis.trained.train_accuracy: expected a number or null, got the text '50 %'; write 0.5
training: {epochs: 50 %}
  training.epochs: expected a whole number, got the text '50 %'; write the number alone
conditions: {nan: {}}
  conditions.nan: stands for a value in tables, not for a name; choose another name
networks: {nan: {architecture: mlp}}
  networks.nan: stands for a value in tables, not for a name; choose another name
seeds: 0.0
  seeds: expected a list, got 0.0; write [0]
seeds: 0, 1, 2
  seeds: expected a list, got the text '0, 1, 2'; write [0, 1, 2]
seeds: [0.0]
  seeds[0]: expected a whole number, got 0.0; write 0
seeds: ["0"]
  seeds[0]: expected a whole number, got the text '0'; write 0
study: 2024
  study: expected text, got 2024; write a name; begin with a letter, and use only letters
study: my images
  study: 'my images' is no name; begin with a letter, and use only letters, digits, - and _
conditions: [baseline, sam]
  conditions: expected a mapping, got a list; write {baseline: {}, sam: {}}
conditions: [baseline: {}, sam: {}]
  conditions: expected a mapping, got a list; write its entries without dashes
conditions: {sam: {sam: 0.05}}
  conditions.sam.sam: expected a mapping or null, got 0.05; write {rho: 0.05}
conditions: {sam: {sam: true}}
  conditions.sam.sam: expected a mapping or null, got true; its keys: rho, adaptive,
conditions: {sam: {sam: {rho: 0.05, adaptive: true}}}
  conditions.sam.sam.adaptive: expected a number or null, got true
conditions: {sam: {sam: {rho: 0.05, method: asam}}}
  conditions.sam.sam.method: unknown key
conditions: {sam: {sam: {rho: 0.05, gap_weight: 0}}}
  conditions.sam.sam.gap_weight: must be greater than 0, got 0
{training: {batch_size: 50}, conditions: {sam: {sam: {rho: 0.05, group_size: 20}}}}
  conditions.sam.sam.group_size: groups of 20 do not fill a batch of 50; name a divisor
{training: {batch_size: 50}, conditions: {sam: {sam: {rho: 0.05, group_size: 100}}}}
  conditions.sam.sam.group_size: groups of 100 do not fill a batch of 50; name a divisor
{training: {epochs: 2, averaging: {name: swad}}}
  training.averaging.start_patience: 2 epochs are too few to choose from by 3 validation losses;
conditions: {swad: {averaging: {name: swad, validation: 1}}}
  conditions.swad.averaging.validation: must be less than 1, got 1
conditions: {swad: {averaging: {name: swad, tolerance: 0.9}}}
  conditions.swad.averaging.tolerance: must be at least 1, got 0.9
conditions: {swad: {averaging: {name: swad, start: 0.5}}}
  conditions.swad.averaging.start: not a setting of swad
conditions: {sam: {rho: 0.05}}
  conditions.sam.rho: unknown key; it is a key of conditions.sam.sam; write it there
conditions: {sam: {augment: [horizontal_flip]}}
  conditions.sam.augment: expected a mapping or null, got a list; its keys: crop_padding, crop_fill,
training: {optimizer: sgd}
  training.optimizer: expected a mapping, got the text 'sgd'; write {name: sgd}
training: {optimizer: {name: SGD}}
  training.optimizer.name: unknown name 'SGD'; did you mean 'sgd'? valid: sgd, adam, adamw, rmsprop
networks: {vgg: {architecture: resnet50}}
  networks.vgg.architecture: unknown name 'resnet50'; did you mean 'resnet'? valid: resnet18, res
training: {lr: 0.1}
  training.lr: unknown key; it is a key of training.optimizer; write it there
training: {schedule: cosine}
  training.schedule: expected a mapping, got the text 'cosine'; write {name: cosine}
networks: {vgg: vgg19}
  networks.vgg: expected a mapping, got the text 'vgg19'; write {architecture: vgg19}
datasets: {small: {train_samples: "1,000"}}
  datasets.small.train_samples: expected a whole number or null, got the text '1,000'; write 1000
datasets: {small: {train_size: 100 pictures}}
  datasets.small.train_size: expected a whole number, got the text '100 pictures'; write the number
datasets: {small: {train_size: 5000}}
  datasets.small.train_size: must be at most 1787, got 5000
datasets: {small: {image_size: [8, 8]}}
  datasets.small.image_size: expected a whole number, got a list; write 8
datasets: {mine: {source: image_folder, folder: mine}}
  datasets.mine.folder: not a setting of image_folder; 'path' is missing
datasets: {mine: {source: image_folder, path: [mine]}}
  datasets.mine.path: expected text, got a list; write mine
epochs: 3
  epochs: unknown key; it is a key of training; write it there
evaluation: {corruptions: {names: [noise]}}
  evaluation.corruptions.names[0]: noise is a kind of corruptions; write gaussian_noise, shot_noise,
evaluation: {corruptions: {names: fog}}
  evaluation.corruptions.names: expected a list, got the text 'fog'; write [fog]
evaluation: {names: [fog]}
  evaluation.names: unknown key; it is a key of evaluation.corruptions; write it there
sharpness: {forward: true}
  sharpness.forward: expected a mapping or null, got true; write {} or some of its keys: by_do
sharpness: {forward: false}
  sharpness.forward: expected a mapping or null, got false; write null
sharpness: [forward, hessian]
  sharpness: expected a mapping, got a list; write {forward: {}, hessian: {}}
networks: resnet18
  networks: expected a mapping, got the text 'resnet18'; write {resnet18: {architecture: resnet18}}
datasets: [digits]
  datasets: expected a mapping, got a list; write {digits: {source: digits}}
datasets: {digits: null}
  datasets.digits: expected a mapping, got nothing; write {source: digits}
conditions: {sam: sam}
  conditions.sam: expected a mapping, got the text 'sam'; its keys: epochs, batch_size, optimizer,
training: {deterministic: "yes"}
  training.deterministic: expected true or false, got the text 'yes'; write true
toy_functions: [booth]
  toy_functions: expected true or false, got a list
data_dir: ~/pictures
  data_dir: '~' is not filled in; write /
width: 0.5
  width: unknown key; it is a key of networks.<name>; write it there
sharpness: {radius: 0.01}
  sharpness.radius: unknown key; it is a key of sharpness.perturbation; write it there
sharpness: {sam_sharpness: {}}
  sharpness.sam_sharpness: unknown key; it is a measure of the family perturbation; write perturb
sharpness: {perturbation: {more_radii: [0]}}
  sharpness.perturbation.more_radii[0]: must be greater than 0, got 0
sharpness: {perturbation: {more_radii: [.inf]}}
  sharpness.perturbation.more_radii[0]: expected a number
sharpness: {perturbation: {more_radii: [.nan]}}
  sharpness.perturbation.more_radii[0]: expected a number
sharpness: {perturbation: {more_radii: 0.025}}
  sharpness.perturbation.more_radii: expected a list, got 0.025; write [0.025]
sharpness: {perturbation: {more_radii: [1, 0.5, 1.0]}}
  sharpness.perturbation.more_radii: lists a value twice; give each once
sharpness: {perturbation: {more_radii: [0.025, 0.005]}}
  sharpness.perturbation.more_radii: 0.005 is radius already; leave it out
datasets: {small: {sharpness: {perturbation: {radius: 0.01, more_radii: [0.01]}}}}
  datasets.small.sharpness.perturbation.more_radii: 0.01 is radius already; leave it out
sharpness: {perturbation: {more_radii: [0.05]}, sam_sharpness_0p05: {}}
  sharpness.sam_sharpness_0p05: unknown key; it is a measure of the family perturbation; write pert
analysis: {smallest_differences: {sam_sharpness_0p2: 1}}
  analysis.smallest_differences: no measure 'sam_sharpness_0p2'; did you mean 'sam_sharpness
sharpness: {perturbation: {published: false, published_samples: 9}}
  sharpness.perturbation.published_samples: does nothing with published: false; leave one of them
datasets: {small: {sharpness: {forward: {published: false, published_share: 0.5}}}}
  sharpness.forward.published_share: does nothing with published: false; leave one of them out
"""
OF_SOUNDS = """
datasets: {sounds: {seconds: 1.0}}
  datasets.sounds.seconds: not a setting of audio_folder; it is a key of datasets.sounds.features;
datasets: {sounds: {features: {seconds: 1 s}}}
  datasets.sounds.features.seconds: expected a number or null, got the text '1 s'; write the number
conditions: {sam: {augment: {crop_padding: 2}}}
  conditions.sam.augment.crop_padding: augments images, which sounds has none of; leave it out
conditions: {sam: {augment: {time_masks: 2}}}
  conditions.sam.augment.time_masks: augments recordings, which small has none of; leave it out
training: {sampling: domain_balanced}
  training.sampling: small has no domains to balance; set it to shuffled
sharpness: {landscape: {by_domain: true}}
  sharpness.landscape.by_domain: small has no domains; move it to datasets.<name>.sharpness of
datasets: {small: {train_domains: [A]}}
  datasets.small.train_domains: it has no domains; leave it out
datasets: {sounds: {train_domains: []}}
  datasets.sounds.train_domains: is empty; give at least 1
datasets: {sounds: {table: null}}
  datasets.sounds.table: expected text, got nothing
datasets: {sounds: {corrupted: cifar10_c}}
  datasets.sounds.corrupted: cifar10_c is not a corrupted copy of audio_folder; set it to generated
{datasets: {sounds: {corrupted: generated}}, evaluation: {corruptions: {names: [fog]}}}
  evaluation.corruptions.names: none of them is made for the recordings of sounds; add one
evaluation: {corruptions: {names: [fog, white_noise]}}
  evaluation.corruptions.names: no data set has copies with white_noise; set datasets.sounds.
{datasets: {small: {corrupted: generated}}, evaluation: {corruptions: {names: [gain]}}}
  evaluation.corruptions.names: none of them is made for the images of small; add one, such as
datasets: {sounds: {features: {mel: 40}}}
  datasets.sounds.features.mel: unknown key; did you mean 'mels'?
datasets: {sounds: {features: {f_max: 9000}}}
  datasets.sounds.features.f_max: bands from f_min 50.0 to f_max 9000.0 Hz
datasets: {sounds: {source: dcase2020}}
  datasets.sounds.table: not a setting of dcase2020
"""
OF_POINTS = """
datasets: {small: {corrupted: generated}}
  datasets.small.corrupted: corruptions are made for images and recordings, not for points
conditions: {sam: {augment: {crop_padding: 1}}}
  conditions.sam.augment.crop_padding: augments images, which small has none of; leave it out
training: {augment: {crop_padding: 1}}
  training.augment.crop_padding: augments images, which small has none of; leave it out
evaluation: {corruptions: {names: [fog, white_noise]}}
  evaluation.corruptions.names: no data set has copies with white_noise; leave it out
datasets: {small: {factor: 1.0}}
  datasets.small.factor: must be less than 1, got 1.0
datasets: {small: {noise: -0.5}}
  datasets.small.noise: must be at least 0, got -0.5
datasets: {small: {train_size: 9}}
  datasets.small.train_size: not a setting of circles; did you mean 'train_samples'?
"""


def cases(text: str, base: dict[str, Any]) -> Iterator:
    """Yield what changes the small study, and how the refusal begins, of a text above."""
    lines = list(map(str.strip, text.strip().splitlines()))
    for changes, message in zip(lines[::2], lines[1::2], strict=True):
        yield pytest.param(deep_merge(base, yaml.safe_load(changes)), message, id=message[:60])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        *cases(FAULTS, {}),
        *cases(FIRST_TRIES, {}),
        *cases(OF_SOUNDS, SOUNDS),
        *cases(OF_POINTS, POINTS),
    ],
)
def test_a_fault_is_told_in_one_line_with_its_path(changes, message):
    assert refusal(**changes).startswith(message)


def written(message: str) -> tuple[list[str], Any] | None:
    """Return the path and the value of a line that says to write a value there."""
    found = re.fullmatch(r"([\w.\[\]]+): expected .*; write ([^;]+?)(, or .* alone)?", message)
    if not found or found[2].startswith(("the number", "its entries", "a name", "{} or some")):
        return None
    return re.findall(r"\w+", found[1]), yaml.safe_load(found[2])


def test_what_a_line_says_to_write_leads_out():
    tried = 0
    for changes, _ in (case.values for text in (FAULTS, FIRST_TRIES) for case in cases(text, {})):
        if (wanted := written(refusal(**changes))) is None:
            continue
        (*above, last), value = wanted
        config = inner = deep_merge(BASE, changes)
        for key in above:
            inner = inner[int(key) if isinstance(inner, list) else key]
        inner[int(last) if isinstance(inner, list) else last] = value
        told = ""
        try:
            load_study(config, SCHEMA)
        except InputError as error:
            # What else a study needs is another matter: networks that a data set trains.
            told = str(error)
        assert not told.startswith(".".join([*above, last]))
        tried += 1
    assert tried > 15


@pytest.mark.parametrize("protocol", ["published", "corrected"])
@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"training": {"epochz": 7}}, ".training.epochz: unknown key; did you mean 'epochs'"),
        ({"nonsense": 1}, ".nonsense: unknown key; valid:"),
        ({"datasets": {"large": {"corrupted": "c"}}}, ".datasets.large.corrupted: unknown name"),
        ({"seds": [1]}, ".seds: unknown key; did you mean 'seeds'?"),
        ({"seeds": [1, 1]}, ".seeds: lists a value twice"),
        ([1], ": expected a mapping, got a list"),
    ],
)
def test_a_fault_inside_the_published_section_is_told(section, message, protocol):
    assert refusal(protocol=protocol, published=section).startswith(f"published{message}")


@pytest.mark.parametrize("section", ["datasets", "networks", "training", "conditions"])
@pytest.mark.parametrize("toys", [{}, {"toy_fits": {}}])
def test_sections_of_networks_are_left_out_together_or_not_at_all(section: str, toys):
    config = {key: value for key, value in BASE.items() if key != section} | toys
    with pytest.raises(InputError, match=f"^configuration: '{section}' is missing; add it$"):
        load_study(config, SCHEMA)


def test_a_study_without_networks_needs_toy_fits():
    with pytest.raises(InputError, match=r"^configuration: 'datasets' is missing; add it$"):
        load_study({"study": "toys", "seeds": [0], "toy_functions": True}, SCHEMA)


@pytest.mark.parametrize(
    ("axis", "meant"),
    [
        ("dataset.small.left_out_domain", "datasets.small.left_out_domain"),
        ("datasets.small.leave_out_domain", "datasets.small.left_out_domain"),
        ("trainings.optimizer.lr", "training.optimizer.lr"),
        ("epochs", None),
    ],
)
def test_a_path_that_no_axis_has_is_told_with_the_one_that_is_meant(axis, meant):
    what = f"sweeps.s.axes: {axis!r} is no path of a training setting or a left_out_domain"
    hint = f"did you mean '{meant}'?" if meant else "write one such as training.optimizer.lr"
    assert refusal(sweeps={"s": {"axes": {axis: [1]}}}) == f"{what}; {hint}"


def test_a_sweep_of_too_many_cells_is_refused():
    axes = {"training.epochs": [*range(1, 102)], "training.batch_size": [*range(1, 101)]}
    told = refusal(sweeps={"s": {"axes": axes}})
    assert told == "sweeps.s.axes: 10,100 cells; at most 10,000"


def test_what_no_layer_gives_is_missing():
    training = {"epochs": 1, "batch_size": 2}
    with pytest.raises(InputError, match=r"^conditions\.baseline: 'optimizer' is missing; add it$"):
        load_study(BASE | {"training": training}, SCHEMA)


def test_a_published_set_needs_one_of_the_corruptions_that_it_has():
    large = {"source": "tiny_imagenet", "corrupted": "tiny_imagenet_c"}
    told = refusal(datasets={"large": large}, evaluation={"corruptions": {"names": ["spatter"]}})
    assert told == "evaluation.corruptions.names: tiny_imagenet_c has none of them; add another"


def test_augmented_data_of_initial_weights_need_one_augmentation():
    conditions = {"sam": {"augment": {"crop_padding": 1}}, "other": {"augment": {}}}
    sharpness = {"on": ["final", "initial"], "view": ["augmented"]}
    told = refusal(sharpness=sharpness, conditions=conditions)
    assert told.startswith("sharpness.view: augmented data of the initial weights need one")
