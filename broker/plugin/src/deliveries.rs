//! Many deliveries in few calls: the deliver hook of a plugin in force.

use hookwire_hooks::{DeliverDecision, Failure, FailureKind, Hook, Parcel};

use crate::delivery_frame;
use crate::hook::batch::BatchFailure;
use crate::hook::deliver;
use crate::loaded::LoadedPlugin;
use crate::run::RunLength;

/// How the deliver hook of a component is asked.
pub(crate) struct Deliveries {
    /// Exports `deliver`.
    pub(crate) typed: bool,
    /// Exports `deliver-batch`.
    pub(crate) batch: bool,
    pub(crate) run_length: RunLength,
}

type Decisions = Vec<Result<DeliverDecision, Failure>>;

impl LoadedPlugin {
    /// Deliveries are judged as runs of messages are: see [`on_publish`](hookwire_hooks::Plugin::on_publish).
    pub(crate) fn judge_deliveries(&self, parcels: &[&Parcel]) -> Decisions {
        let mut decisions = Vec::with_capacity(parcels.len());
        let mut rest = parcels;
        while !rest.is_empty() {
            let (run, behind) = rest.split_at(self.delivery_run_len(rest));
            self.judge_delivery_run(run, &mut decisions);
            rest = behind;
        }
        decisions
    }

    /// How many deliveries from the front go into one call.
    fn delivery_run_len(&self, parcels: &[&Parcel]) -> usize {
        // As for messages: a probe is one delivery.
        if !self.deliveries.batch || !self.breaker(Hook::Deliver).is_closed() {
            return 1;
        }
        let limits = self.services.limits();
        let shown = self.interests.deliver.shown;
        let (mut bytes, mut last) = (0, None);
        let fits = parcels.iter().take(self.deliveries.run_length.max());
        let fits = fits.take_while(|parcel| {
            bytes += delivery_frame::approximate_len(parcel, last, shown);
            last = Some(**parcel);
            bytes <= limits.batch_bytes_max
        });
        fits.count().max(1)
    }

    fn judge_delivery_run(&self, run: &[&Parcel], decisions: &mut Decisions) {
        if let [parcel] = run {
            decisions.push(self.judge_delivery(parcel));
            return;
        }
        self.counters(Hook::Deliver).batch(run.len());
        match self.ask_deliveries(run) {
            Ok(answers) => {
                self.deliveries.run_length.in_time(run.len());
                self.counters(Hook::Deliver).messages(run.len());
                self.counters(Hook::Deliver)
                    .verdicts(answers.iter().map(deliver::index));
                decisions.extend(answers.into_iter().map(Ok));
            }
            Err(BatchFailure {
                failure,
                of_one_message: true,
            }) => {
                if matches!(failure.kind, FailureKind::Deadline | FailureKind::Memory) {
                    self.deliveries.run_length.overran(run.len());
                }
                self.retry_one_by_one("deliver-batch", &failure);
                decisions.extend(run.iter().map(|parcel| self.judge_delivery(parcel)));
            }
            Err(BatchFailure {
                failure,
                of_one_message: false,
            }) => {
                self.counters(Hook::Deliver).messages(run.len());
                self.failed(Hook::Deliver, &failure, run.len());
                decisions.extend(run.iter().map(|_| Err(failure.clone())));
            }
        }
    }

    fn judge_delivery(&self, parcel: &Parcel) -> Result<DeliverDecision, Failure> {
        let answer = if self.deliveries.typed {
            let (shown, budget) = (self.interests.deliver.shown, self.quick());
            self.ask(Hook::Deliver, budget, |instance| {
                deliver::ask(instance, budget, parcel, shown)
            })
        } else {
            self.ask_deliveries(&[parcel])
                .map_err(|batch| batch.failure)
                .and_then(|mut decisions| {
                    decisions.pop().ok_or_else(|| Failure {
                        kind: FailureKind::InvalidAnswer,
                        detail: "no decision".into(),
                    })
                })
        };
        self.counted(Hook::Deliver, answer, deliver::index)
    }

    fn ask_deliveries(&self, run: &[&Parcel]) -> Result<Vec<DeliverDecision>, BatchFailure> {
        let (shown, budget) = (self.interests.deliver.shown, self.quick());
        self.ask(Hook::Deliver, budget, |instance| {
            deliver::ask_batch(instance, budget, run, shown)
        })
    }
}
