//! A codec whose outgoing messages are shared: a frame is kept until it is answered, and sending must not copy it.

use std::{marker::PhantomData, sync::Arc};

use prost::Message;
use tonic::{
    Status,
    codec::{Codec, EncodeBuf, Encoder},
};
use tonic_prost::{ProstCodec, ProstDecoder};

#[derive(Debug)]
pub(crate) struct SharedCodec<Q, R>(PhantomData<(Q, R)>);

impl<Q, R> SharedCodec<Q, R> {
    pub(crate) const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<Q, R> Codec for SharedCodec<Q, R>
where
    Q: Message + 'static,
    R: Message + Default + Send + 'static,
{
    type Encode = Arc<Q>;
    type Decode = R;
    type Encoder = SharedEncoder<Q>;
    type Decoder = ProstDecoder<R>;

    fn encoder(&mut self) -> Self::Encoder {
        SharedEncoder(PhantomData)
    }

    fn decoder(&mut self) -> Self::Decoder {
        ProstCodec::<R, R>::default().decoder()
    }
}

#[derive(Debug)]
pub(crate) struct SharedEncoder<Q>(PhantomData<Q>);

impl<Q: Message> Encoder for SharedEncoder<Q> {
    type Item = Arc<Q>;
    type Error = Status;

    fn encode(&mut self, item: Arc<Q>, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        item.encode(buffer).map_err(|error| Status::internal(error.to_string()))
    }
}
