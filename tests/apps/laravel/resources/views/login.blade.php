@extends('layout')
@section('title', 'Login')
@section('content')
<form id="login" method="post" action="{{ url('/login') }}">@csrf
<input name="name" value="{{ old('name') }}"><input type="password" name="password">
</form>
@endsection
