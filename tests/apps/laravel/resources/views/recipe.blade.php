@extends('layout')
@section('title', $recipe->title)
@section('content')
<h1>{{ $recipe->title }}</h1>
<p>{{ $recipe->text }}</p>
@if ($recipe->picture)
<img src="{{ asset("storage/$recipe->picture") }}" alt="">
@endif
<p>Cooked {{ $recipe->cooked }} times.</p>
@auth
<form id="cook" method="post" action="{{ url("/recipes/$recipe->id/cook") }}">@csrf</form>
@endauth
@endsection
