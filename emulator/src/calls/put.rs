//! PutFile.

use super::{Exchange, about, check_md5, conclude, receive};
use crate::answer::Answer;
use crate::broken::{self, Assumption};
use crate::policy::Policy;
use crate::refusal::Refusal;
use crate::stop::Stop;

const LIMIT: u64 = 512 << 20;

pub(super) async fn put(exchange: &mut Exchange, policy: Option<Policy>) -> Result<Answer, Stop> {
    let key = exchange.target.key()?.to_string();
    let about = about::read(&exchange.head.headers, &exchange.app.broken)?;
    if exchange.intake.length()? > LIMIT {
        return Err(Refusal::file_too_large().into());
    }
    let received = receive(exchange).await?;
    let checked = check_md5(exchange, &received);
    if !exchange.app.broken.has(Assumption::A1) {
        checked.clone()?;
    }
    if policy.is_none() && exchange.app.broken.has(Assumption::A2) {
        tokio::time::sleep(broken::LATE).await;
    }
    let (app, etag) = (&exchange.app, received.sums.object_etag());
    app.store.put(
        &key,
        about,
        received.sums.size,
        etag.clone(),
        vec![received.segment],
    )?;
    let answer = conclude(
        app,
        exchange.sequence,
        &key,
        policy,
        &etag,
        Answer::empty(200),
    )
    .await?;
    checked?;
    Ok(answer)
}
