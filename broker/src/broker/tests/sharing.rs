//! Shared subscriptions whose members come and go.

use std::time::Duration;

use hookwire_protocol::{Connect, Delivery, DisconnectReason, QoS};

use super::peer::{Peer, connect_as, id};
use super::{Broker, broker};

const SHARED: &str = "$share/workers/jobs";

/// A client whose session stays when it goes.
fn staying(client_id: &str) -> Connect {
    let mut connect = connect_as(client_id);
    connect.clean_start = false;
    connect.properties.session_expiry_interval = Some(60);
    connect
}

async fn worker(broker: &Broker, connect: Connect) -> Peer {
    let mut worker = Peer::connect_with(broker, connect).await.0;
    worker.subscribe(SHARED).await;
    worker
}

#[tokio::test(start_paused = true)]
async fn what_a_lost_member_has_not_acknowledged_goes_to_another() {
    for first in [staying("busy"), connect_as("busy")] {
        let broker = broker();
        let mut busy = worker(&broker, first).await;
        Peer::connect(&broker, "publisher")
            .await
            .publish_acked("jobs", "a job")
            .await;
        assert_eq!(busy.message().await.1, "a job");
        let mut other = worker(&broker, staying("other")).await;
        drop(busy);
        let job = other.publish_packet().await;
        assert_eq!((&job.payload[..], job.dup), (&b"a job"[..], false));
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_acknowledged_goes_to_nobody_else() {
    let broker = broker();
    let mut busy = worker(&broker, staying("busy")).await;
    Peer::connect(&broker, "publisher")
        .await
        .publish_acked("jobs", "a job")
        .await;
    let job = busy.publish_packet().await;
    busy.acknowledge(&job).await;
    let mut other = worker(&broker, staying("other")).await;
    busy.disconnect(DisconnectReason::NormalDisconnection).await;
    other.hears_nothing().await;
}

/// [MQTT-4.8.2-4]
#[tokio::test(start_paused = true)]
async fn a_qos_2_job_that_was_sent_waits_for_its_member() {
    let broker = broker();
    let mut busy = Peer::connect_with(&broker, staying("busy")).await.0;
    busy.subscribe_at(SHARED, QoS::ExactlyOnce).await;
    let mut publisher = Peer::connect(&broker, "publisher").await;
    publisher
        .publish("jobs", "a job", Delivery::ExactlyOnce(id(1)))
        .await;
    publisher.next().await.expect("PUBREC");
    busy.publish_packet().await;
    let mut other = worker(&broker, staying("other")).await;
    drop(busy);
    other.hears_nothing().await;
    let (mut back, connack) = Peer::connect_with(&broker, staying("busy")).await;
    assert!(connack.session_present);
    let job = back.publish_packet().await;
    assert_eq!((&job.payload[..], job.dup), (&b"a job"[..], true));
}

#[tokio::test(start_paused = true)]
async fn jobs_that_wait_for_members_that_are_away_go_to_the_first_that_comes() {
    for comes_back in [true, false] {
        let broker = broker();
        for name in ["one", "two"] {
            worker(&broker, staying(name))
                .await
                .disconnect(DisconnectReason::NormalDisconnection)
                .await;
        }
        let mut publisher = Peer::connect(&broker, "publisher").await;
        for job in ["1", "2", "3", "4"] {
            publisher.publish_acked("jobs", job).await;
        }
        let mut comer = if comes_back {
            Peer::connect_with(&broker, staying("one")).await.0
        } else {
            worker(&broker, staying("three")).await
        };
        let mut jobs = Vec::new();
        for _ in 0..4 {
            let job = comer.publish_packet().await;
            comer.acknowledge(&job).await;
            jobs.push(String::from_utf8_lossy(&job.payload).into_owned());
        }
        jobs.sort();
        assert_eq!(jobs, ["1", "2", "3", "4"]);
        comer.hears_nothing().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_that_ends_leaves_its_jobs_to_the_others_even_if_they_are_away() {
    let broker = broker();
    worker(&broker, staying("heir"))
        .await
        .disconnect(DisconnectReason::NormalDisconnection)
        .await;
    let mut passing = staying("passing");
    passing.properties.session_expiry_interval = Some(5);
    let passing = worker(&broker, passing).await;
    let mut publisher = Peer::connect(&broker, "publisher").await;
    publisher.publish_acked("jobs", "a job").await;
    drop(passing);
    tokio::time::sleep(Duration::from_millis(100)).await;
    broker.do_what_is_due_at(crate::clock::now() + Duration::from_secs(10));
    let (mut heir, connack) = Peer::connect_with(&broker, staying("heir")).await;
    assert!(connack.session_present);
    assert_eq!(heir.message().await.1, "a job");
}
